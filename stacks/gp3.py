"""What EBS gp3 volumes allow. Pure."""

from pydantic_core import PydanticCustomError


def check_throughput(throughput: int, iops: int, iops_key: str) -> None:
    """At most 0.25 MiB/s for each provisioned IOPS; `iops_key` is what the stack file calls those.

    Source: https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html. Raises PydanticCustomError.
    """
    if throughput * 4 > iops:
        raise PydanticCustomError(
            "gp3",
            "diskThroughputMiBps {throughput} needs at least {least} {key} (gp3 gives 0.25 MiB/s per provisioned IOPS), not {iops}",
            {"throughput": throughput, "least": throughput * 4, "key": iops_key, "iops": iops},
        )
