"""How much the detections of a track say that it is an object: evidence that adds up and fades.

Detectors are wrong in the same place again and again, with scores that would pass any threshold that lets hidden
objects through. What tells objects from such places is that some of their detections are sure. So each detection adds
its log odds, less those of a detection that is right as often as wrong (Wald's sequential test, with scores in the
place of likelihoods); old evidence fades, because neighbouring frames repeat one another's errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streamseg.tracking.stateful import Stateful

_FULL = 0.07  # seconds that a detection must be apart from the one before to count in full


@dataclass(slots=True, eq=False)
class Belief(Stateful):
    """Counts evidence for the tracks of one stream.

    A detector whose scores stay low is taken at its own measure: where the best score so far has less than twice the
    log odds of ``neutral_score``, half of its log odds are neutral, and less evidence is enough in proportion.

    Attributes:
        neutral_score: Score, above 0.5 and below 1, of detections of which half are right; lower ones speak against the
            track.
        enough: Evidence, in log odds, from which a track is believed.
        fading: Time constant with which evidence fades, seconds.
        most: The greatest log odds that one score stands for.
    """

    neutral_score: float = 0.9
    enough: float = 4.0
    fading: float = 0.5
    most: float = 6.0
    _best: float = field(init=False, default=0.01)  # log odds of the best score so far

    def see(self, scores: np.ndarray) -> None:
        """Learn how sure the detector can be from what it says of the next frame (float [N], 0 to 1)."""
        self._best = max(self._best, float(_log_odds(scores).max(initial=0.0)))

    def evidence(self, scores: np.ndarray) -> np.ndarray:
        """What detections of these scores (float [N], 0 to 1) say, float64 [N]."""
        neutral = float(_log_odds(np.array(self.neutral_score)))
        scale = min(1.0, self._best / (2 * neutral))
        said: np.ndarray = np.clip(_log_odds(scores), -self.most, self.most) / scale - neutral
        return said

    def kept(self, elapsed: float) -> float:
        """Share of older evidence that is left ``elapsed`` seconds after the last look.

        What does not repeat itself need not fade: at a low frame rate no more fades than what a detection counts for.
        """
        return float(np.exp(-min(max(elapsed, 0.0), _FULL) / self.fading))

    def weight(self, elapsed: float) -> float:
        """Share in which a detection counts that comes ``elapsed`` seconds after the one before."""
        return min(1.0, max(elapsed, 0.0) / _FULL)


def _log_odds(scores: np.ndarray) -> np.ndarray:
    scores = np.clip(np.asarray(scores, np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(scores / (1 - scores)))
