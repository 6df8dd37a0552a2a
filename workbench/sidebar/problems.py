"""What keeps an instance from showing, as sentences: nothing here acts."""

from workbench import __version__
from workbench.errors import InstanceError, WrongTokenError
from workbench.sidebar.contact import Contact
from workbench.sidebar.control import DeclinedError, ForeignError
from workbench.sidebar.messages import Problem, ProblemKind
from workbench.sidebar.refusal import RefusedError

__all__ = ["diagnose", "mismatch", "outage", "refused", "unconnected"]

_WHERE_IT_STANDS = (
    "It stands as `token` in the file `workbench-….json` in the directory that "
    "`jupyter --runtime-dir` prints there."
)


def diagnose(contact: Contact, error: InstanceError, version: str = "") -> Problem:
    """Why an instance that we tried to reach shows nothing."""
    if (found := outage(contact)) is not None:
        return found
    if isinstance(error, WrongTokenError):
        return _wrong_token(contact)
    if isinstance(error, DeclinedError | ForeignError):
        return _not_understood(error, version)
    if contact.is_remote:
        return Problem(
            kind=ProblemKind.UNREACHABLE,
            sentence=error.message,
            remedy="Check that it runs and that Jupyter's server can reach it. "
            "It is tried again every few seconds.",
        )
    return Problem(
        kind=ProblemKind.CONTROLLER_AWAY,
        sentence="The controller of this instance does not answer.",
        remedy="It is restarted by itself, and what is deployed goes on answering. "
        "If this lasts, stop the instance and start it again.",
    )


def outage(contact: Contact) -> Problem | None:
    """Ray, or all of the instance, has ended and is being started again."""
    if not contact.trouble:
        return None
    return Problem(
        kind=ProblemKind.RESTARTING,
        sentence=f"{contact.trouble}. Until it is back, nothing here is served.",
        remedy="It is being started again by itself, with all that was deployed; this "
        "takes some seconds.",
    )


def mismatch(version: str) -> Problem | None:
    """The instance's Workbench is not the one of Jupyter's server."""
    if version == __version__:
        return None
    return Problem(
        kind=ProblemKind.VERSION_MISMATCH,
        sentence=f"The instance runs Workbench {version or 'of an unknown version'}, "
        f"Jupyter's server {__version__}: some of this may be wrong or missing.",
        remedy=f"`pip install serve-workbench=={version or __version__}` in the "
        "server's environment and restart Jupyter, or restart the instance.",
    )


def unconnected(contact: Contact, error: InstanceError) -> RefusedError:
    """Why a remote instance is not added."""
    problem = diagnose(contact, error)
    return RefusedError(422, problem.sentence, problem.remedy)


def refused(contact: Contact, error: InstanceError) -> RefusedError:
    """Why an instance did not do what it was asked."""
    match error:
        case DeclinedError(status=(400 | 404 | 409) as status):
            return RefusedError(status, error.message, error.hint)
        case DeclinedError():
            return RefusedError(502, error.message, error.hint)
        case ForeignError():
            msg = "The instance does not know this request."
            remedy = (
                f"Its Workbench may not be that of Jupyter's server, {__version__}."
            )
            return RefusedError(502, msg, remedy)
    problem = diagnose(contact, error)
    return RefusedError(502, problem.sentence, problem.remedy)


def _wrong_token(contact: Contact) -> Problem:
    if contact.is_remote:
        remedy = f"Connect again with its token. {_WHERE_IT_STANDS}"
    else:
        remedy = "Its file is out of date: stop the instance and start it again."
    return Problem(
        kind=ProblemKind.WRONG_TOKEN,
        sentence=f"{contact.url} refuses the token.",
        remedy=remedy,
    )


def _not_understood(error: InstanceError, version: str) -> Problem:
    """It answers, but not as we expect."""
    if version and (found := mismatch(version)) is not None:
        return found
    return Problem(
        kind=ProblemKind.UNREACHABLE,
        sentence=error.message,
        remedy="Check the address: it is that of the control API, which is not "
        "the port that requests go to.",
    )
