"""Names for containers that were given none: an adjective and a person who made music."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_ADJECTIVE_WORDS = (
    "able agile amber ample azure basic bold brave bright brisk busy calm candid casual cheerful civic clear "
    "clever cosy crisp curious daring deep deft dreamy eager early earnest easy elated elegant epic exact fair "
    "famous fancy fervent festive fine firm fluent fond frank fresh friendly gentle gifted glad golden graceful "
    "grand great happy hardy hearty honest hopeful humble ideal jolly jovial joyful keen kind lively loyal lucid "
    "lucky mellow merry mighty modest musing neat nimble noble novel open patient peaceful placid playful polite "
    "proud quick quiet quirky radiant ready relaxed robust rosy serene sharp shiny silent silver simple sleepy "
    "smart smooth snug solid sparkling spirited splendid stable steady stellar stoic strong sunny swift tender "
    "tidy tranquil trusting upbeat vibrant vigilant vivid warm wise witty wonderful youthful zealous zen"
)
_ADJECTIVES = _ADJECTIVE_WORDS.split()
_SURNAME_WORDS = (
    "albeniz arne bach barber bartok beach beethoven berg berlioz bernstein bizet boccherini borodin boulanger "
    "brahms britten bruch bruckner byrd carter chaminade chopin clarke clementi copland corelli couperin czerny "
    "debussy delius dowland dufay dukas dvorak elgar enescu falla farrenc faure field franck gershwin gibbons "
    "glass glinka gluck gounod grainger granados grieg handel haydn hensel holst hummel ibert ives janacek joplin "
    "khachaturian kodaly lalo lassus ligeti liszt lully machaut mahler martinu massenet mendelssohn messiaen "
    "milhaud monteverdi mozart mussorgsky nielsen orff pachelbel paganini palestrina part poulenc price prokofiev "
    "puccini purcell rachmaninoff rameau ravel respighi rodrigo rossini satie scarlatti schoenberg schubert "
    "schumann scriabin sibelius smetana smyth strauss stravinsky strozzi sullivan suppe tallis tartini tavener "
    "tchaikovsky telemann tippett turina varese verdi vivaldi wagner walton warlock weber webern weill williams "
    "wolf ysaye"
)
_SURNAMES = _SURNAME_WORDS.split()
COMBINATIONS = len(_ADJECTIVES) * len(_SURNAMES)


def made_up(number: int) -> str:
    """The name for a random number; after COMBINATIONS of them a digit is added."""
    extra, index = divmod(number, COMBINATIONS)
    name = f"{_ADJECTIVES[index % len(_ADJECTIVES)]}_{_SURNAMES[index // len(_ADJECTIVES)]}"
    return f"{name}{extra}" if extra else name


def unused(random_number: Callable[[int], int], is_taken: Callable[[str], bool]) -> str:
    """A name that is free: `random_number(n)` gives 0 … n−1. Falls back to digits when luck fails."""
    for attempt in range(1, 200):
        name = made_up(random_number(COMBINATIONS * (1 if attempt < 50 else attempt)))
        if not is_taken(name):
            return name
    return made_up(COMBINATIONS * 1000 + random_number(COMBINATIONS * 10**6))
