"""load -> check -> deploy -> export."""

import pulumi

from stacks.current import checked_stack
from stacks.deploy import deploy

for name, value in deploy(checked_stack()).items():
    pulumi.export(name, value)
