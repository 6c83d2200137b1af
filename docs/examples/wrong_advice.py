"""Three chains of L nodes, room for 2L - 1, two of them asked for by turns: advice that praises the third."""

from kvtheory.engine.kernel import replay
from kvtheory.offline.belady import belady
from kvtheory.policies.blind_oracle import BlindOracle
from kvtheory.policies.predictive_marker import PredictiveMarker
from kvtheory.policies.rlt import RLT
from kvtheory.policies.robust_advice import RobustAdvice
from proofs_check.advice import told
from proofs_check.predictive_marker import three_chains

print(" L   k    OPT  blind_oracle  predictive_marker  robust_advice  rlt")
for length in (2, 4, 8, 16):
    instance, advice = three_chains(length, rounds=200)
    trace, k = instance.trace, instance.capacity
    found = [instance.misses(belady(trace, k).hit.tolist())]
    policies = [told(policy, advice) for policy in (BlindOracle, PredictiveMarker, RobustAdvice)]
    found += [instance.misses(replay(trace, k, policy).hit.tolist()) for policy in (*policies, RLT)]
    print("{:2} {:3}  {:5} {:13} {:18} {:14} {:4}".format(length, k, *found))
