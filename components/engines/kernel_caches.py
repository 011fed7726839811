"""Where libraries that engines share keep kernels that they compile. Pure."""


def kernel_caches(cache_dir: str) -> dict[str, str]:
    """Environment that puts the caches of PyTorch, Triton, FlashInfer, Numba and CUDA below `cache_dir`."""
    return {
        "TORCHINDUCTOR_CACHE_DIR": f"{cache_dir}/torchinductor",
        "TRITON_CACHE_DIR": f"{cache_dir}/triton",
        "FLASHINFER_WORKSPACE_BASE": f"{cache_dir}/flashinfer",
        "NUMBA_CACHE_DIR": f"{cache_dir}/numba",
        "CUDA_CACHE_PATH": f"{cache_dir}/cuda",
    }
