"""A model that is as good as any, but for rows that ask it to misbehave."""

import os
import signal
import time

import numpy as np
from sklearn.linear_model import LogisticRegression

FAR = 9000.0  #: a load beyond any that was seen; the hour says what happens
SLEEPS, RAISES, NOT_A_NUMBER, DIES = 1, 2, 3, 4


class Misbehaving(LogisticRegression):
    """Sleeps, raises, gives no number or kills its process, as the first row says."""

    def predict_proba(self, X):  # noqa: N803 — scikit-learn's name
        row = np.asarray(X)[0]
        if row[0] > FAR:
            hour = round(row[1])
            if hour == SLEEPS:
                time.sleep(600)
            if hour == RAISES:
                raise RuntimeError("no")
            if hour == DIES:
                os.kill(os.getpid(), signal.SIGKILL)
            return np.full((len(X), 2), np.nan)
        return super().predict_proba(X)

    def predict(self, X):  # noqa: N803 — as above
        chances = self.predict_proba(X)
        return self.classes_[np.nan_to_num(chances).argmax(axis=1)]
