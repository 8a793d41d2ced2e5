"""DNS as far as a prober and a small server need it (RFC 1035, EDNS0 of RFC 6891).

Bytes from the network come in; questions, messages, answers and a judgement of each reply go out. No bytes make a
function raise anything but what it documents. Read `message.py` first, then `classify.py` (what a reply is worth).
"""
