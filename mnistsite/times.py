from zoneinfo import ZoneInfo

from environs import Env, EnvError


def time_zone(env: Env, name: str, default: str) -> str:
    """Return the name of a time zone, such as Europe/Berlin."""
    zone: str = env.str(name, default)
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError) as error:
        message = f'Environment variable "{name}" invalid: there is no time zone {zone!r}.'
        raise EnvError(message) from error
    return zone
