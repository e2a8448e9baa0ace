"""Area, speed and energy of the project's RTL in cells of osu018, scaled to 28 and 16 nm (scripts/area --cells)."""
