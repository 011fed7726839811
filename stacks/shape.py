"""What the stack file may hold at a place: follows pydantic's error locations through the types of StackConfig. Pure.

pydantic puts a union's tag into a location, where it can't be told from a key by its text alone; the types tell.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import Discriminator, Tag
from pydantic.fields import FieldInfo

from components.spec import Spec
from stacks.config import StackConfig
from stacks.problem import Path


@dataclass(frozen=True, slots=True)
class Type:
    """A type without its annotations, and those annotations."""

    base: Any
    """A class, `Literal[...]`, `dict[...]`, `list[...]`; several types are in `members`."""
    metadata: tuple[Any, ...] = ()
    members: "tuple[Type, ...]" = ()
    """The alternatives of a union, null aside."""
    discriminator: Any = None
    """The key, or the function, that tells the members apart; None where they have no tags."""
    nullable: bool = False

    def tagged(self) -> "dict[str, Type]":
        """Members by tag."""
        return {tag: member for member in self.members for tag in _tags(member, self.discriminator)}


@dataclass(frozen=True, slots=True)
class Spot:
    """A place of the stack file."""

    path: Path
    """Keys and indexes, without tags."""
    type: Type | None
    """What may stand there; None for an unknown key."""
    owner: type[Spec] | None = None
    """The section that the last key of the path belongs to."""
    siblings: tuple[type[Spec], ...] = ()
    """The other forms that the owner could have, by another tag."""
    is_key: bool = False
    """The key itself is wrong, not its value; `type` is that of the key."""


def follow(location: Path, *, unknown_key: bool = False) -> Spot:
    """The place that an error location of StackConfig stands for; with `unknown_key`, of a key that no section has."""
    path: Path = ()
    here: Type | None = peel(StackConfig)
    owner, owners, others, key = None, (), (), None
    for at, step in enumerate(location):
        if here is None:
            path = (*path, step)
        elif step == "[key]" and key is not None and at == len(location) - 1 and not unknown_key:
            return Spot(path, key, is_key=True)
        elif here.members:
            member = here.tagged().get(str(step))
            if member is None:  # the label of one of several types without tags
                break
            others = tuple(one.base for one in here.members if one is not member)
            here = member
        elif is_spec(here.base):
            owner, owners, others, key = here.base, others, (), None
            path, here = (*path, step), hints(owner).get(str(step))
        elif get_origin(here.base) is dict:
            key, here = (peel(one) for one in get_args(here.base))
            path, owner, others = (*path, step), None, ()
        elif get_origin(here.base) is list:
            path, here, owner, others, key = (*path, step), peel(get_args(here.base)[0]), None, (), None
        else:
            break
    return Spot(path, here, owner, owners if owner else ())


def peel(annotation: Any) -> Type:
    """The type behind `Annotated`, `| None` and pydantic's field annotations."""
    metadata: list[Any] = []
    discriminator = None
    nullable = False
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation, *extra = get_args(annotation)
            for one in extra:
                if isinstance(one, FieldInfo):
                    metadata += one.metadata
                    discriminator = one.discriminator or discriminator
                elif isinstance(one, Discriminator):
                    discriminator = one.discriminator
                else:
                    metadata.append(one)
        elif origin in (Union, UnionType):
            others = [one for one in get_args(annotation) if one is not NoneType]
            nullable = nullable or len(others) < len(get_args(annotation))
            if len(others) > 1:
                members = tuple(peel(one) for one in others)
                return Type(annotation, tuple(metadata), members, discriminator, nullable)
            annotation = others[0]
        else:
            return Type(annotation, tuple(metadata), nullable=nullable)


@cache
def hints(section: type[Spec]) -> dict[str, Type]:
    """Types of a section's keys, by key."""
    found = get_type_hints(section, include_extras=True)
    return {spec.alias or name: peel(found[name]) for name, spec in section.model_fields.items()}


def is_spec(base: Any) -> bool:
    """It is a section: a mapping with known keys."""
    return isinstance(base, type) and issubclass(base, Spec)


def _tags(member: Type, discriminator: Any) -> Iterator[str]:
    if isinstance(discriminator, str) and is_spec(member.base):
        yield from (str(one) for one in get_args(hints(member.base)[discriminator].base))
    else:
        yield from (one.tag for one in member.metadata if isinstance(one, Tag))


def naming_key(section: type[Spec], other: type[Spec]) -> str | None:
    """The key that both forms have, with texts of which no form shares one."""
    for key, kind in hints(section).items():
        values = get_args(kind.base) if get_origin(kind.base) is Literal else ()
        theirs = get_args(hints(other)[key].base) if key in hints(other) else values
        if values and all(isinstance(one, str) for one in values) and not {*values} & {*theirs}:
            return key
    return None
