"""Runs a Python script of the project as a command is run, without a second import of torch."""
import os
import runpy
import sys
import tempfile
import traceback

import torch

torch.set_num_threads(1)  # OpenMP's threads do not live on in a fork


def run_script(path: str, *words: str) -> tuple[int, str]:
    """The status with which `path` ends and what it prints, on both streams, called with `words`.

    It runs in a fork of this process, which has imported torch; that spares it seconds."""
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            for stream in (1, 2):
                os.dup2(said.fileno(), stream)
            status = 1
            try:
                sys.argv = [path, *words]
                sys.path[0] = os.path.dirname(os.path.abspath(path))
                runpy.run_path(path, run_name="__main__")
                status = 0
            except SystemExit as end:  # as the interpreter takes it
                if end.code is None or isinstance(end.code, int):
                    status = end.code or 0
                else:
                    print(end.code, file=sys.stderr)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said.seek(0)
        return status, said.read().decode()
