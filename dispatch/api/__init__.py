"""The REST API: Litestar controllers over the desk."""

from dispatch.api.app import build
from dispatch.api.openapi import document

__all__ = ["build", "document"]
