"""Everything that crosses a boundary: msgspec structs without behaviour."""
