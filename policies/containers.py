"""Policies on any container: its image, what it may do, and what can be read of it. Pure."""

import re
from collections.abc import Iterator

from policies.arguments import option, variables, words
from policies.objects import Resource, pods
from policies.rule import Finding, Rule, Settings, decide
from policies.view import View
from preflight.container_facts import SECRET_OPTIONS, moving_tag, option_name, trusts_remote_code
from stacks.secret_values import looks_secret, plain_secrets

_TRUE = ("1", "true", "yes", "on")
_SERVE_CONFIG_TRUST = re.compile(r"trust_remote_code[\"']?\s*:\s*[\"']?true", re.I)


def _containers(resource: Resource) -> Iterator[View]:
    for pod in pods(resource):
        yield from pod.containers()


def _images(resource: Resource, settings: Settings) -> Iterator[Finding]:
    yield from decide(*(_image(one, settings) for one in _containers(resource)))


def _image(container: View, settings: Settings) -> Iterator[Finding]:
    view = container.at("image")
    image = view.text()
    if not image:  # KServe and others fill it in
        return
    tag = moving_tag(image)
    if tag is not None:
        yield Finding(
            message=f"{view.path}: {image} moves (tag {tag}): the next pod may run another release than the last"
        )
    elif settings["requireDigest"] and "@sha256:" not in image:
        yield Finding(message=f"{view.path}: {image} has no digest, and requireDigest is set")


def _plain_secrets(resource: Resource, settings: Settings) -> Iterator[Finding]:
    yield from decide(*(part for one in _containers(resource) for part in (_variables(one), _arguments(one))))
    if resource.is_a(("core", "ConfigMap")):
        yield from decide(*(_entry(key, value) for key, value in resource.props.at("data").items()))


def _variables(container: View) -> Iterator[Finding]:
    yield from decide(*(_variable(name, entry) for name, entry in variables(container)))


def _variable(name: str, entry: View) -> Iterator[Finding]:
    value = entry.at("value").text()
    if value and next(plain_secrets({"env": {name: value}}), None):
        yield Finding(message=f"{entry.path}: {name} looks like a secret in plain text (its value isn't shown here)")


def _arguments(container: View) -> Iterator[Finding]:
    given = words(container)
    for word in given:
        if looks_secret(word):
            yield Finding(message=f"{container.path}: an argument has the form of a token (it isn't shown here)")
    for name, variable in SECRET_OPTIONS.items():
        value = option(given, name)
        # $(VAR) is filled in from a variable, which can come from a Secret.
        if value and not value.startswith("$") and not looks_secret(value):
            instead = (
                f"set {variable} from a Secret instead" if variable else "fill it in from a Secret's variable: $(NAME)"
            )
            yield Finding(message=f"{container.path}: {name} has a plain value; {instead}")


def _entry(key: str, value: View) -> Iterator[Finding]:
    text = value.text()
    if text and next(plain_secrets({"env": {key: text}}), None):
        yield Finding(
            message=f"{value.path} looks like a secret in plain text (its value isn't shown here); use a Secret"
        )


def _remote_code(resource: Resource, settings: Settings) -> Iterator[Finding]:
    parts = [part for one in _containers(resource) for part in (_trusting_words(one), _trusting_variables(one))]
    yield from decide(*parts, _trusting_serve_config(resource))


def _trusting_words(container: View) -> Iterator[Finding]:
    given = words(container)
    index = trusts_remote_code(given)
    if index is not None:
        yield Finding(
            message=f"{container.path}: {option_name(given[index])} runs Python code of the model's repository"
        )


def _trusting_variables(container: View) -> Iterator[Finding]:
    for name, entry in variables(container):
        if name == "TRUST_REMOTE_CODE" and entry.at("value").text().lower() in _TRUE:
            yield Finding(message=f"{entry.path}: {name} runs Python code of the model's repository")


def _trusting_serve_config(resource: Resource) -> Iterator[Finding]:
    view = resource.props.at("spec", "serveConfigV2")
    if resource.is_a(("ray.io", "RayService")) and _SERVE_CONFIG_TRUST.search(view.text()):
        yield Finding(message=f"{view.path}: trust_remote_code runs Python code of the model's repository")


RULES = (
    Rule(
        name="images-pinned",
        level="mandatory",
        severity="high",
        codes=("SEC002",),
        title="Images name a release that stays.",
        why="A moving tag makes every restart an upgrade (https://github.com/llm-d/llm-d-benchmark/pull/1572).",
        remedy="Name a release, or pin the content with @sha256:...",
        namespaced=True,
        settings={
            "requireDigest": {
                "type": "boolean",
                "default": False,
                "description": "Refuse images without a digest too: registries can move any tag.",
            }
        },
        check=_images,
    ),
    Rule(
        name="no-plaintext-secrets",
        level="mandatory",
        severity="critical",
        codes=("SEC005", "SEC008"),
        title="Variables, arguments and ConfigMaps hold no secrets.",
        why="They are readable in Pulumi's state and with kubectl. Tokens are recognised by their form, other values by the "
        "name of their variable (stacks/secret_values.py).",
        remedy="Put the value into a Secret and refer to it with valueFrom.secretKeyRef; revoke what was in plain text.",
        namespaced=True,
        check=_plain_secrets,
    ),
    Rule(
        name="trust-remote-code-off",
        level="mandatory",
        severity="high",
        codes=("SEC004",),
        title="No code of model repositories runs.",
        why="--trust-remote-code imports Python files of the repository (https://docs.vllm.ai/en/stable/usage/security/).",
        remedy="Leave it out where the engine knows the architecture; else exempt the namespace and pin the model's commit.",
        namespaced=True,
        check=_remote_code,
    ),
)
