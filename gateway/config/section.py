"""What every section of the configuration is: a key that it does not know is an error, with the nearest one known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, validates_schema

from gateway.config.suggest import suggestion


class SettingsSchema(Schema):
    """A section; a key that it does not know is an error with the nearest one that it does."""

    error_messages = {"type": "is a section with settings below it"}  # noqa: RUF012  # marshmallow's own declaration

    class Meta:
        """Unknown keys are named below, with a suggestion."""

        unknown = EXCLUDE

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _no_unknown_keys(self, _: Any, original: Any, **__: Any) -> None:
        unknown = [key for key in original if key not in self.fields] if isinstance(original, Mapping) else []
        if unknown:
            raise ValidationError({key: [f"is not a setting{suggestion(key, self.fields)}"] for key in unknown})
