"""Where each script of the seeds stands, and how it is cut out."""

from __future__ import annotations

import textwrap
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

SEEDS: Final = Path(__file__).resolve().parents[3] / "shared" / "mission" / "seeds"
"""The seed documents, beside the project."""


class Script(NamedTuple):
    """One script: document, first and last line, language."""

    name: str
    document: str
    first: int
    last: int
    language: str

    def text(self) -> str:
        """The script as it stands in the seeds, without the indentation of what holds it."""
        lines = document(self.document)[self.first - 1 : self.last]
        if self.name.startswith("S78"):
            lines = _raw_string("".join(lines), self.language).splitlines(keepends=True)
        return textwrap.dedent("".join(lines)).strip("\n") + "\n"


def present() -> bool:
    """Whether the seed documents are here."""
    return SEEDS.is_dir()


@cache
def document(number: str) -> list[str]:
    """The lines of a seed document by its number."""
    (path,) = SEEDS.glob(f"{number}_*.txt")
    return path.read_text("utf-8").splitlines(keepends=True)


def _raw_string(text: str, language: str) -> str:
    """The Rust string `LANGUAGE: r#"…"#` within a struct."""
    _, _, rest = text.partition(f'{language}: r#"')
    script, end, _ = rest.partition('"#')
    if not end:
        raise ValueError(f"there is no {language} string here")
    return script


# fmt: off
SCRIPTS: Final = (
    Script("S01", "000", 113, 195, "lua"),
    Script("S02", "000", 355, 360, "lua"),
    Script("S03", "000", 364, 369, "javascript"),
    Script("S04", "000", 490, 494, "lua"),
    Script("S05", "000", 498, 502, "javascript"),
    Script("S06", "000", 506, 510, "python"),
    Script("S07", "000", 714, 737, "lua"),
    Script("S08", "000", 751, 842, "javascript"),
    Script("S09", "000", 850, 985, "lua"),
    Script("S10", "000", 2450, 2470, "lua"),
    Script("S11", "000", 2478, 2506, "javascript"),
    Script("S12", "000", 2521, 2528, "lua"),
    Script("S13", "000", 2532, 2539, "javascript"),
    Script("S14", "000", 2543, 2550, "python"),
    Script("S15", "000", 2595, 2602, "lua"),
    Script("S16", "000", 2606, 2613, "javascript"),
    Script("S17", "000", 2620, 2629, "lua"),
    Script("S18", "000", 2633, 2641, "javascript"),
    Script("S19", "000", 3091, 3138, "lua"),
    Script("S20", "000", 3145, 3276, "lua"),
    Script("S21", "000", 3281, 3473, "lua"),
    Script("S22", "000", 3478, 3559, "lua"),
    Script("S23", "000", 3564, 3633, "lua"),
    Script("S24", "000", 3638, 3720, "lua"),
    Script("S25", "000", 3735, 3820, "javascript"),
    Script("S26", "000", 3825, 4017, "javascript"),
    Script("S27", "000", 4022, 4223, "javascript"),
    Script("S28", "000", 4228, 4320, "typescript"),
    Script("S29", "000", 4325, 4548, "javascript"),
    Script("S30", "000", 4574, 4593, "lua"),
    Script("S31", "000", 4610, 4638, "javascript"),
    Script("S32", "000", 4657, 4694, "lua"),
    Script("S33", "000", 4710, 4740, "javascript"),
    Script("S34", "000", 4754, 4776, "lua"),
    Script("S35", "000", 4794, 4830, "javascript"),
    Script("S36", "000", 4845, 4881, "lua"),
    Script("S37", "000", 4894, 4924, "javascript"),
    Script("S38", "000", 4931, 4947, "typescript"),
    Script("S39", "000", 4952, 4986, "lua"),
    Script("S40", "000", 5088, 5168, "javascript"),
    Script("S41", "000", 5175, 5231, "lua"),
    Script("S42", "000", 5236, 5315, "javascript"),
    Script("S43", "000", 5505, 5564, "lua"),
    Script("S44", "000", 5571, 5646, "javascript"),
    Script("S45", "000", 5653, 5804, "typescript"),
    Script("S46", "000", 5811, 6012, "lua"),
    Script("S47", "000", 6019, 6069, "javascript"),
    Script("S48", "000", 6074, 6169, "lua"),
    Script("S49", "000", 6176, 6194, "lua"),
    Script("S50", "000", 6201, 6218, "javascript"),
    Script("S51", "000", 6225, 6241, "lua"),
    Script("S52", "000", 6251, 6271, "lua"),
    Script("S53", "000", 6277, 6293, "javascript"),
    Script("S54", "000", 6299, 6323, "lua"),
    Script("S55", "000", 9695, 9713, "lua"),
    Script("S56", "000", 10434, 10447, "lua"),
    Script("S57", "000", 13748, 13763, "lua"),
    Script("S58", "000", 13781, 13808, "javascript"),
    Script("S59", "000", 13877, 13996, "lua"),
    Script("S60", "000", 14005, 14174, "javascript"),
    Script("S61", "000", 14183, 14443, "lua"),
    Script("S62", "000", 14462, 14482, "lua"),
    Script("S63", "000", 14739, 14771, "lua"),
    Script("S64", "000", 15038, 15065, "lua"),
    Script("S65", "000", 15070, 15090, "lua"),
    Script("S66", "000", 15095, 15138, "lua"),
    Script("S67", "000", 15143, 15161, "lua"),
    Script("S68", "000", 15168, 15195, "javascript"),
    Script("S69", "000", 15200, 15220, "javascript"),
    Script("S70", "000", 15225, 15266, "javascript"),
    Script("S71", "000", 15271, 15289, "javascript"),
    Script("S72", "000", 11972, 11983, "lua"),
    Script("S73", "000", 12048, 12053, "javascript"),
    Script("S74a", "000", 12101, 12108, "lua"),
    Script("S74b", "000", 12125, 12132, "javascript"),
    Script("S75a", "000", 12368, 12372, "lua"),
    Script("S75b", "000", 12388, 12392, "javascript"),
    Script("S76", "002", 33, 43, "lua"),
    Script("S77", "002", 47, 57, "javascript"),
    Script("S78a", "002", 1098, 1111, "lua"),
    Script("S78b", "002", 1098, 1111, "javascript"),
    Script("S79", "002", 1631, 1640, "lua"),
    Script("S80", "002", 1645, 1654, "javascript"),
    Script("S81", "002", 1667, 1685, "lua"),
    Script("S82", "002", 1690, 1708, "javascript"),
    Script("S83", "002", 1721, 1768, "lua"),
    Script("S84", "002", 1773, 1820, "javascript"),
    Script("S85", "002", 1827, 1859, "lua"),
    Script("S86", "002", 1864, 1892, "javascript"),
    Script("S87", "002", 1899, 1918, "lua"),
)
# fmt: on

BY_NAME: Final = {script.name: script for script in SCRIPTS}
