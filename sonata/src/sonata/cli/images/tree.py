"""`sonata image tree`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.model.image_listing import ImageTree, Twig


def command(parsed: Parsed, call: Call) -> int:
    """Print the layers of an image."""
    from sonata.engine.images.tree import tree

    print(shown(tree(call.engine, parsed.args[0], whatrequires=parsed["whatrequires"])))
    return 0


def shown(found: ImageTree) -> str:
    """What is printed: a head, then a line for each layer, and an empty one."""
    from sonata.cli.render.human import human_size

    head = [
        f"Image ID: {found.image[:12]}",
        f"Tags:     [{' '.join(found.tags)}]",
        f"Size:     {human_size(found.size)}",
        "Image Layers" if found.layers else "No Image Layers",
    ]
    rows = [twig.lead + _row(twig) for twig in found.layers]
    return "\n".join([*head, *rows, ""])


def _row(twig: Twig) -> str:
    from sonata.cli.render.human import human_size

    text = f"ID: {twig.layer[:12]} Size: {human_size(twig.size):>7}"
    return f"{text} Top Layer of: [{' '.join(twig.tags)}]" if twig.tags else text
