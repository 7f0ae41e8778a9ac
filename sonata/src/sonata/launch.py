"""Start-up of the installed program in an isolated interpreter without `site` (`python3 -I -S`).

Adds the folder that this package lies in to the module search path, which is all that `site` would
do in a plain installation, at a tenth of its cost. Where distributions lie elsewhere too (path
files of an editable installation), `site` is asked after all.
"""

import gc
import os
import sys
from _frozen_importlib_external import SourceFileLoader


def _prepare() -> str:
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path.append(here)
    names = os.listdir(here)
    elsewhere = any(name.endswith(".pth") and name != "distutils-precedence.pth" for name in names)
    if elsewhere or "sonata_core" not in names:
        import site

        site.main()
    elif here.endswith("dist-packages"):
        short = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        for folder in (f"/usr/local/lib/{short}/dist-packages", "/usr/lib/python3/dist-packages"):
            if folder not in sys.path and os.path.isdir(folder):
                sys.path.append(folder)
    return here


def _remember(here: str) -> None:
    """Serve imports from the memo of compiled code; it is loaded by its path, since nothing is searched yet."""
    name = "sonata.codememo"
    module = type(sys)(name)
    loader = SourceFileLoader(name, f"{here}/sonata/codememo.py")
    sys.modules[name] = module
    loader.exec_module(module)
    module.install(here)


def _gone(words: list[str]) -> bool:
    """Whether these are the words of an exit command that has nothing to do any more.

    conmon runs one at every end of a container. A command that attends to the container itself has locked its
    run folder: that is waited for without importing anything, and mostly nothing is left then.
    """
    path = next((word[14:] for word in words if word.startswith("--unless-gone=")), "")
    if not path or "--stopped-only" not in words:
        return False
    import fcntl

    try:
        handle = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return not os.path.lexists(path)
    fcntl.flock(handle, fcntl.LOCK_EX)
    os.close(handle)
    return not os.path.lexists(path)


if __name__ == "__main__":
    # Most commands end before they have made enough rubbish to look for; imports alone had it looked for 50 times.
    gc.set_threshold(100_000, 20, 20)
    try:
        if _gone(sys.argv):
            os._exit(0)
        _remember(_prepare())
        from sonata.__main__ import run

        run()
    except KeyboardInterrupt:  # Ctrl-C before there is a command that could hear it
        os._exit(130)
