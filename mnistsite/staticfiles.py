"""Static files under names with a hash of their content: browsers may keep them for ever."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped
    """WhiteNoise's storage; JavaScript modules too import each other by their hashed names."""

    support_js_module_import_aggregation = True
