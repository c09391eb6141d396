import pytest

from nbprod.domain.alert import Severity
from nbprod.errors import SettingsError
from nbprod.monitors.alert_settings import AlertSettings
from nbprod.settings import Settings

HOOK = '[channels.team]\nkind = "webhook"\nurl = "https://hooks.example.org/x?token=s3cret"\n'
MAIL = '[channels.boss]\nkind = "mail"\nhost = "smtp.example.org"\nfrom = "a@example.org"\nto = ["b@example.org"]\n'


@pytest.fixture
def read(tmp_path):
    def read(text):
        (tmp_path / "nbprod.toml").write_text(text)
        return AlertSettings.read(Settings.load(tmp_path))

    return read


def test_a_deployment_overrides_what_holds_for_all(read):
    found = read(
        '[alerts]\nowner = "maria"\nquiet = "22:00-07:00"\n[alerts.churn]\nowner = "ada"\nchannels = ["team"]\n'
        'quiet = ""\nrunbooks = { drift = "https://x" }\n' + HOOK + MAIL
    )

    assert (found.policy("churn").owner, found.policy("other").owner) == ("ada", "maria")
    assert (found.policy("churn").quiet, bool(found.policy("other").quiet)) == (None, True)
    assert found.told(found.policy("churn")) == ["log", "team"]
    assert found.told(found.policy("other")) == ["log", "team", "boss"]
    assert found.policy("churn").runbook_of("drift") == "https://x"


def test_the_short_forms_are_channels_too(read):
    found = read('[notify]\nwebhook = "https://x"\napprise = ["json://localhost"]\n')

    assert set(found.channels) == {"log", "webhook", "chat"}
    assert not found.channels["webhook"].allow_private
    assert read('[notify]\nwebhook = "http://127.0.0.1"\nallow_private = true\n').channels["webhook"].allow_private


def test_a_channel_may_be_for_the_severe_alone(read):
    assert read('[channels.log]\nkind = "log"\nat_least = "critical"\n').channels["log"].at_least is Severity.CRITICAL


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[alerts]\nchannels = ["tema"]\n' + HOOK, "Did you mean team"),
        ('[alerts.churn]\nescalate_to = ["boss"]\n' + HOOK, "[alerts.churn] names a channel 'boss'"),
        ('[alerts.churn]\ndigest = "08:00"\n', "is of all deployments"),
        ('[channels.team]\nkind = "pigeon"\n', "log, file, webhook, mail, chat"),
        ('[channels.team]\nkind = "webhook"\nurl = "file:///etc/passwd"\n', "is not a web address"),
        ('[channels.team]\nkind = "webhook"\n', "is not a web address"),
        (HOOK + 'secret = "s3cret"\n', "not a reference"),
        (HOOK + 'allow_private = "yes"\n', "allow_private"),
        (HOOK + 'at_least = "bad"\n', "at_least"),
        (HOOK + "urll = 1\n", "unknown setting urll"),
        ('[channels.chat]\nkind = "chat"\naddresses = "slack://s3cret"\n', "needs addresses"),
        (MAIL + 'password = "s3cret"\nuser = "a"\n', "not a reference"),
        (MAIL + 'password = "env:MAIL"\n', "user and password"),
        (MAIL + 'password = "env:MAIL"\nuser = "a"\ntls = "none"\n', "not sent in the clear"),
        (MAIL.replace("b@example.org", "b"), "A mail address"),
        (MAIL.replace("a@example.org", "a@example.org\\nBcc: x@y"), "A mail address"),
        ('[channels.Team]\nkind = "log"\n', "cannot be a channel"),
        ('[notify]\nwebhook = "ftp://x"\n', "notify.webhook is not a web address"),
    ],
)
def test_what_cannot_be_used_is_refused_without_showing_secrets(read, text, told):
    with pytest.raises(SettingsError) as caught:
        read(text)

    assert told in str(caught.value)
    assert "s3cret" not in str(caught.value)
