"""How right the diagnosis is: virtual clusters with faults that are known, real plan, schedule and ledger, and a score.

The network, the probes and the faults are modelled here, packet by packet, without a line of the diagnosis under test:
a model that the diagnosis shared would agree with it in its errors.
"""
