"""C++ beside these scripts that is compiled on its first use."""
import contextlib
import functools
import os
import sys


@contextlib.contextmanager
def only_compiler(folder: str):
    """Holds the folder for one process at a time.

    torch's own lock is a file that is there or not: of a process killed while it compiles it stays, and all
    later ones would wait for it without end. Ours goes with its process, so that who holds it may remove torch's."""
    import fcntl
    with open(os.path.join(folder, "one-at-a-time"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that compiles in {folder}", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, "lock"))
        yield


@functools.lru_cache(maxsize=None)  # several networks ask for one; where it cannot be had, once is enough to try and to tell
def compiled(name: str, source: str, instead: str):
    """The extension, compiled on its first use, or None where that cannot be done; then a line on stderr says that
    training goes on with `instead`."""
    try:
        from torch.utils.cpp_extension import _get_build_directory, load
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), source)
        folder = _get_build_directory(name, False)
        with only_compiler(folder):
            return load(name, [path], extra_ldflags=["-lmvec"], build_directory=folder,
                        extra_cflags=["-O3", "-march=native", "-ffast-math", "-fopenmp"])
    except (ImportError, OSError, RuntimeError) as error:
        lines = str(error).splitlines()
        reason = next((line for line in lines if "error:" in line), lines[0])
        print(f"training with {instead}, slower: {reason} "
              "(a C++ compiler, ninja, Python's headers and with Debian's torch pybind11-dev are needed)",
              file=sys.stderr)
        return None
