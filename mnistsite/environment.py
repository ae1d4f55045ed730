from typing import Any

from environs import Env


class Environment(Env):
    """The environment's variables; an empty one counts as not set."""

    def _get_value(self, env_key: str, default: Any) -> Any:
        return super()._get_value(env_key, default) or default
