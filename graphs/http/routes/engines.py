"""The engines that answer, and how good they are."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from graphs.http.observability.engine_schemas import EnginesBody
from graphs.http.observability.engine_view import EngineView
from graphs.http.server.auth import owner
from graphs.http.server.services import ServicesDependency

router = APIRouter(prefix="/v1", tags=["operation"])


def engine_view(request: Request, services: ServicesDependency) -> EngineView:
    """Return the application's own."""
    state = request.app.state
    if not hasattr(state, "engine_view"):
        state.engine_view = EngineView(services.roles, services.config.assistant.chat)
    view: EngineView = state.engine_view
    return view


@router.get(
    "/engines", dependencies=[Depends(owner)], summary="Engine of each role, its measured quality, and better ones"
)
async def engines(view: Annotated[EngineView, Depends(engine_view)]) -> EnginesBody:
    """Return the engine of each role as it was within the last ten seconds.

    Numbers are those of the project's own measurements, with the data that they hold for; an engine that was not
    measured says why.
    """
    return await view.look()
