"""Witnesses: one number per answer, by rule; none of them says whether an answer does harm, and none becomes a rate of EM."""
