"""Studies: recipes x settings x seeds, trained once each, however often the work is interrupted."""

from .definition import Study, Trial, load_study, studies
from .running import StudyResult, study
from .tables import read_table, redraw

__all__ = ["Study", "StudyResult", "Trial", "load_study", "read_table", "redraw", "studies", "study"]
