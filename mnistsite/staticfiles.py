from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped
    """WhiteNoise's storage, which also rewrites imports between JavaScript modules."""

    support_js_module_import_aggregation = True

    def create_compressor(self, **options: Any) -> Any:
        """Leave out Brotli, which takes minutes where a development tool brings it along."""
        return super().create_compressor(use_brotli=False, **options)
