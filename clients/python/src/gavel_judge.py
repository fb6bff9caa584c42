"""The plugin ``gavel-judge`` of verifiers, which finds plugins by the name of a module."""

from gavel_client.verifiers import GavelJudge

__all__ = ["GavelJudge"]
