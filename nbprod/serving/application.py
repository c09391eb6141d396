"""The FastAPI application: every route of the server, with documentation made from the package's schema."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from nbprod.clock import now
from nbprod.domain.plain import plain
from nbprod.domain.rollout_verdict import Act
from nbprod.domain.version import ModelRef
from nbprod.serving.answers import Answer, busy, encode, error, json_answer, problems_answer
from nbprod.serving.feedback import Feedback
from nbprod.serving.gate import IDS
from nbprod.serving.invocations import read_invocation
from nbprod.serving.metrics import CONTENT_TYPE, exposition
from nbprod.serving.models import ServedModel
from nbprod.serving.open_inference import metadata, read_tensors, server_metadata, write_tensors
from nbprod.serving.openapi import describe
from nbprod.serving.pages import docs_page, form_page
from nbprod.serving.requests import BodyError, FormError
from nbprod.serving.reviewing import ReviewDesk
from nbprod.serving.service import Service

__all__ = ["make_application"]

HTML = b"text/html; charset=utf-8"
Handler = Callable[[Request], Awaitable[Answer]]


def make_application(service: Service, lake: str, review_desk: Sequence[str] = ()) -> FastAPI:
    """The application of one worker; ``review_desk`` is the command of the process that hands out reviews."""
    application = FastAPI(title="nbprod", docs_url=None, redoc_url=None, openapi_url=None)
    routes = Routes(
        service, Feedback(service, lake), ReviewDesk(service, review_desk), lambda: describe(application, service)
    )
    for path, method, handler in routes.table():
        application.add_api_route(path, _adapted(handler), methods=[method], response_class=Response)
    application.add_exception_handler(HTTPException, _refused)
    return application


class Routes:
    """What each route does; the hot ones are also called directly by the gate."""

    def __init__(
        self, service: Service, feedback: Feedback, desk: ReviewDesk, openapi: Callable[[], Mapping[str, Any]]
    ) -> None:
        self._service = service
        self._feedback = feedback
        self._desk = desk
        self._openapi = openapi

    def table(self) -> list[tuple[str, str, Handler]]:
        """Path, method and handler of every route."""
        one, some = "/v2/models/{name}", "/v2/models/{name}/versions/{number}"
        return [
            ("/predict", "POST", self.predict),
            ("/outcomes", "POST", self.outcomes),
            ("/review", "GET", self.review),
            ("/review", "POST", self.answer_review),
            ("/invocations", "POST", self.invocations),
            ("/ping", "GET", self.ping),
            ("/health", "GET", self.ping),
            ("/version", "GET", self.own_version),
            ("/v2", "GET", self.server),
            ("/v2/health/live", "GET", self.live),
            ("/v2/health/ready", "GET", self.ready),
            *((path, "GET", self.model) for path in (one, some)),
            *((f"{path}/ready", "GET", self.model_ready) for path in (one, some)),
            *((f"{path}/infer", "POST", self.infer) for path in (one, some)),
            ("/metrics", "GET", self.metrics),
            ("/rollout", "GET", self.rollout),
            *(("/rollout/may/{act}", method, self.may) for method in ("GET", "POST")),
            ("/openapi.json", "GET", self.openapi),
            ("/docs", "GET", self.docs),
            ("/", "GET", self.page),
        ]

    async def predict(self, request: Request) -> Answer:
        """Predict rows, and keep the predictions."""
        return await self._service.predict(await request.body())

    async def outcomes(self, request: Request) -> Answer:
        """Take in the truth about predictions, by prediction id or unit."""
        return await self._feedback.add(await request.body())

    async def review(self, request: Request) -> Answer:
        """Give a reviewer predictions to look at; nobody else is given them for half an hour."""
        given = request.query_params
        if len(given.multi_items()) != len(given):
            return error(400, "a parameter is given twice")
        return await self._desk.hand_out(given)

    async def answer_review(self, request: Request) -> Answer:
        """Take in what a reviewer says the truth is, of predictions that were sent to review."""
        return await self._desk.take_in(await request.body())

    async def invocations(self, request: Request) -> Answer:
        """Predict rows in MLflow's forms."""
        media = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if media not in {"application/json", "text/csv"}:
            return error(415, "this route takes application/json and text/csv")
        model = self._service.model
        if model is None:
            return busy("no version is loaded yet")
        made = await self._service.make(read_invocation(await request.body(), media, model.schema))
        if isinstance(made, Answer):
            return made
        outputs = made.answered.outputs
        rows = [dict(zip(outputs, values, strict=True)) for values in zip(*outputs.values(), strict=True)]
        return Answer(200, encode({"predictions": rows}), ids=tuple(made.ids))

    async def infer(self, request: Request) -> Answer:
        """Predict tensors, by the Open Inference Protocol."""
        found = self._named(request)
        if isinstance(found, Answer):
            return found
        given = request.headers.get("inference-header-content-length")
        if given is not None and not (given.isascii() and given.isdigit()):
            return error(400, "Inference-Header-Content-Length is no number")
        length = int(given) if given is not None else None
        rows, asked = read_tensors(await request.body(), length, found.schema)
        made = await self._service.make(rows)
        if isinstance(made, Answer):
            return made
        columns = {**made.answered.outputs, "prediction_id": made.ids}
        name, number = _name_of(made.model)
        body, head = write_tensors(asked, name, number, columns, made.model.schema)
        ids = tuple(made.ids)
        if head is None:
            return Answer(200, body, ids=ids)
        length_header = (b"inference-header-content-length", str(head).encode())
        return Answer(200, body, b"application/octet-stream", (length_header,), ids)

    async def ping(self, request: Request) -> Answer:
        """Whether a version is loaded, as MLflow's clients ask."""
        del request
        return Answer(200, b"\n") if self._service.model else busy("no version is loaded yet")

    async def own_version(self, request: Request) -> Answer:
        """The version of nbprod."""
        del request
        return Answer(200, version("nbprod").encode(), b"text/plain; charset=utf-8")

    async def server(self, request: Request) -> Answer:
        """What this server is, by the Open Inference Protocol."""
        del request
        return json_answer(server_metadata(version("nbprod")))

    async def live(self, request: Request) -> Answer:
        """Whether the process answers."""
        del request
        return await self._service.live()

    async def ready(self, request: Request) -> Answer:
        """Whether a version is loaded, and what somebody should know."""
        del request
        return await self._service.ready()

    async def model(self, request: Request) -> Answer:
        """Inputs and outputs of the model."""
        found = self._named(request)
        return found if isinstance(found, Answer) else json_answer(metadata(*_name_of(found), found.schema))

    async def model_ready(self, request: Request) -> Answer:
        """Whether this model and version is in use."""
        found = self._named(request)
        return found if isinstance(found, Answer) else json_answer({"name": _name_of(found)[0], "ready": True})

    async def metrics(self, request: Request) -> Answer:
        """What Prometheus reads."""
        del request
        return Answer(200, exposition(), CONTENT_TYPE.encode())

    async def rollout(self, request: Request) -> Answer:
        """The recorded verdict about the candidate of the newest rollout, and what may be done by it."""
        del request
        verdict = self._service.assignment.verdict
        if verdict is None:
            return error(404, "this deployment had no rollout")
        return json_answer({**plain(verdict), "may": verdict.may(now())})

    async def may(self, request: Request) -> Answer:
        """Whether one thing may be done: 200 if so, 409 if not; for webhooks."""
        verdict, asked = self._service.assignment.verdict, request.path_params["act"]
        if verdict is None:
            return error(404, "this deployment had no rollout")
        if asked not in {*Act}:
            return error(404, f"what may be asked about is {', '.join(Act)}")
        if not verdict.allows(Act(asked), now()):
            return error(409, f"not {asked}: {verdict}")
        return json_answer({"may": asked, "verdict": str(verdict)})

    async def openapi(self, request: Request) -> Answer:
        """The description of these routes, for programs."""
        del request
        return json_answer(self._openapi())

    async def docs(self, request: Request) -> Answer:
        """The description of these routes, for people."""
        del request
        return _page(*docs_page(self._openapi(), self._service))

    async def page(self, request: Request) -> Answer:
        """A form to try the model by hand."""
        del request
        model = self._service.model
        return busy("no version is loaded yet") if model is None else _page(*form_page(model, self._service))

    def _named(self, request: Request) -> ServedModel | Answer:
        """The model a path names: by the deployment or the registered model, and perhaps the version in use."""
        model = self._service.model
        if model is None:
            return busy("no version is loaded yet")
        name, number = _name_of(model)
        asked = request.path_params["name"]
        if asked not in {name, self._service.assignment.deployment}:
            return error(404, f"this server has one model: {name}")
        if request.path_params.get("number", str(number)) != str(number):
            return error(404, f"version {number} is in use, no other")
        return model


def _name_of(model: ServedModel) -> tuple[str, int]:
    ref = ModelRef.parse(model.arm.version)
    return ref.model, ref.number or 0


def _page(html: str, policy: str) -> Answer:
    headers = (
        (b"content-security-policy", policy.encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"x-frame-options", b"DENY"),
    )
    return Answer(200, html.encode(), HTML, headers)


def _adapted(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A handler as FastAPI calls it."""

    async def endpoint(request: Request) -> Response:
        try:
            answer = await handler(request)
        except BodyError as problem:
            answer = error(400, problem.message)
        except FormError as problem:
            answer = problems_answer([problem.record])
        request.scope[IDS] = answer.ids
        return _response(answer)

    endpoint.__doc__ = handler.__doc__
    endpoint.__name__ = getattr(handler, "__name__", "endpoint")
    return endpoint


async def _refused(request: Request, problem: Exception) -> Response:
    """No such route or method, in the words of the others."""
    del request
    assert isinstance(problem, HTTPException)
    headers = tuple((name.lower().encode(), value.encode()) for name, value in (problem.headers or {}).items())
    return _response(error(problem.status_code, str(problem.detail), *headers))


def _response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    response.headers["content-type"] = answer.media.decode()
    for name, value in answer.headers:
        response.headers[name.decode()] = value.decode()
    return response
