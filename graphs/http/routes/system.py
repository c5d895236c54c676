"""State of the whole system, for operators."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from graphs.http.observability.system_schemas import SystemBody
from graphs.http.observability.system_view import SystemView
from graphs.http.routes.ops import VERSION
from graphs.http.server.auth import owner
from graphs.http.server.services import ServicesDependency

router = APIRouter(prefix="/v1", tags=["operation"])


def system_view(request: Request) -> SystemView:
    """Return the application's own."""
    state = request.app.state
    if not hasattr(state, "system_view"):
        state.system_view = SystemView()
    view: SystemView = state.system_view
    return view


@router.get("/system", dependencies=[Depends(owner)], summary="Health and load of the deployments, queue and versions")
async def system(services: ServicesDependency, view: Annotated[SystemView, Depends(system_view)]) -> SystemBody:
    """Return the state within the last two seconds; 503 while Serve's controller does not answer."""
    config = services.config
    statistics = services.jobs.statistics
    return await view.look(config.applications, statistics, services.kinds, config.dashboard_url, VERSION)
