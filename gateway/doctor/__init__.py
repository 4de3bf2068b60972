"""Examines the broker that the settings name, and the gateway's own house, and says what to mend and where."""

from gateway.doctor.access import BotLogin
from gateway.doctor.examination import Patient, examine
from gateway.doctor.house import House, judge_clocks, judge_house, see_house
from gateway.doctor.mosquitto import judge_store
from gateway.doctor.seen import Kind
from gateway.doctor.verdict import Grade, Report, Verdict, report

__all__ = [
    "BotLogin",
    "Grade",
    "House",
    "Kind",
    "Patient",
    "Report",
    "Verdict",
    "examine",
    "judge_clocks",
    "judge_house",
    "judge_store",
    "report",
    "see_house",
]
