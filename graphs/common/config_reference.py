"""Write the reference of settings: ``python -m graphs.common.config_reference > docs/configuration.md``."""

import json
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from deployments.strict import models_in
from graphs.common.config import ApiConfig, GraphsConfig
from models.settings import is_live

_HEAD = """\
# Configuration

The system is Ray Serve applications in one YAML file: `graphs` (the roles and the job workers), `api` (the HTTP
ingress) and `live` (WebSockets). `serve_config.local.yaml` is what `make run` deploys, `serve_config.yaml` is for a
cluster with GPUs. Serve's own keys (replicas, resources, autoscaling, `http_options`, `grpc_options`) are documented by
Ray; the `args` of each application are below, those of `live` being those of `api`. Every key of the file is checked
before it is deployed, Serve's too: an unknown one is refused with its path and the nearest valid name.

Engine settings may be changed while the system runs: put them into a deployment's `user_config` and deploy again. Those
marked *live* are taken by the engine as it works. For the others the replica builds and warms a new engine before it
lets go of the old one; a replica with a share of a GPU, which has no room for two, refuses them (docs/gpu.md).

## Environment

Secrets come from the environment only.

| variable | meaning |
|---|---|
| `VOICEGRAPH_PORT` | TCP port of `make run` (8000) |
| `VOICEGRAPH_GRPC_PORT` | TCP port of `make run`'s gRPC service (50052, or any other if that is taken) |
| `VOICEGRAPH_DATA` | folder of the embedded database and the objects of `make run` (`./var`) |
| `VOICEGRAPH_CHAT_URL`, `VOICEGRAPH_CHAT_MODEL` | chat server of `make run` with OpenAI's protocol, and its model |
| `VOICEGRAPH_CHAT_KEY` | that server's key, where it wants one |
| `MODELS` | [engines of `make run`](weights.md#make-run): `none`, without weights; `full`, the best of a model hub |
| `VOICEGRAPH_PAGE_RELOAD` | `1`: the page's files are read anew for each request, for who works on the page |
| `VOICEGRAPH_ADMIN_KEY` | the operator's `X-Admin-Key`; `make run` makes one, elsewhere no key means no admin routes |
| `VOICEGRAPH_DATABASE_URL` | PostgreSQL, `postgresql://user:password@host/name`; `make run` sets it |
| `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, ... | credentials of the S3 store, by boto3's usual chain |
| `VOICEGRAPH_S3_BUCKET` | bucket of `serve_config.yaml` |
| `VOICEGRAPH_S3_ENDPOINT` | its server's URL, such as `http://minio:9000`; empty for Amazon S3 |
| `VOICEGRAPH_S3_PUBLIC_ENDPOINT` | the same as clients see it, for presigned URLs; empty where it is the same |
| `VOICEGRAPH_S3_REGION` | its region; empty for `us-east-1` |
| `VOICEGRAPH_WEIGHTS` | folder of the node's cache of [weights](weights.md) (`~/.cache/voicegraph/weights`) |
| `VOICEGRAPH_WEIGHTS_MIRROR` | `s3://bucket/prefix`, from which a node fills that cache when its engines start |
| `VOICEGRAPH_WEIGHTS_SETS` | folders of named sets of weights, tried last: `s3://bucket/prefix`, `file:///folder` |
| `HF_TOKEN` | token of the Hugging Face Hub, for what fetches weights from there: gated models need one |
"""


def reference() -> str:
    """Return the page."""
    seen: set[type[BaseModel]] = set()
    sections = [_HEAD]
    for name, model in (("graphs", GraphsConfig), ("api", ApiConfig)):
        sections.append(f"\n## Application `{name}`\n")
        sections += _sections(model, "args", seen)
    return "\n".join(sections)


def _sections(model: type[BaseModel], path: str, seen: set[type[BaseModel]]) -> Iterator[str]:
    seen.add(model)
    title = (model.__doc__ or "").strip().splitlines()[0]
    yield f"### `{path}`\n\n{title}\n\n| key | type | default | meaning |\n|---|---|---|---|"
    yield from (_row(name, field) for name, field in model.model_fields.items())
    yield ""
    for name, field in model.model_fields.items():
        for inner in models_in(field.annotation):
            if inner not in seen:
                tag = _tag(inner)
                yield from _sections(inner, f"{path}.{name}" + (f" ({tag})" if tag else ""), seen)


def _row(name: str, field: FieldInfo) -> str:
    meaning = (field.description or "").replace("|", "\\|") + (" *Live.*" if is_live(field) else "")
    return f"| `{name}` | {_type(field.annotation)} | {_default(field)} | {meaning} |"


def _type(annotation: Any) -> str:
    if get_origin(annotation) is tuple and list(models_in(annotation)):
        return f"list of {_type(get_args(annotation)[0])}"
    if list(models_in(annotation)):
        tags = [_tag(model) for model in models_in(annotation)]
        return "one of " + ", ".join(f"`{tag}`" for tag in tags) if len(tags) > 1 else "section"
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    arguments = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    if get_origin(annotation) in (tuple, list):
        return f"list of {_type(arguments[0])}"
    if type(None) in arguments:
        return " or ".join("null" if argument is type(None) else _type(argument) for argument in arguments)
    if get_origin(annotation) is dict:
        return f"{_type(arguments[1])} by {_type(arguments[0])}"
    if arguments:
        return _type(arguments[0])
    return {"str": "text", "int": "integer", "float": "number", "bool": "yes/no"}.get(annotation.__name__, "text")


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined:
        return "required"
    if isinstance(default, BaseModel):
        return f"`{_tag(default.__class__)}`" if _tag(default.__class__) else "see below"
    return f"`{json.dumps(default, default=str)}`"


def _tag(model: type[BaseModel]) -> str | None:
    for field in model.model_fields.values():
        if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1:
            return str(get_args(field.annotation)[0])
    return None


if __name__ == "__main__":
    print(reference(), end="")
