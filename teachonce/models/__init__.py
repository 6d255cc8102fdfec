"""Teachers, students and projectors."""

from teachonce.models.frozen import Signals, Teacher, TeacherInfo
from teachonce.models.projector import Projector
from teachonce.models.student import Student
from teachonce.models.students import build_student, load_student, save_student
from teachonce.models.teacher import from_student, load_teacher

__all__ = [
    "Projector",
    "Signals",
    "Student",
    "Teacher",
    "TeacherInfo",
    "build_student",
    "from_student",
    "load_student",
    "load_teacher",
    "save_student",
]
