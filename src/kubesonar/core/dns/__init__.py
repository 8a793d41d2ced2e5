"""DNS as far as a prober and a small server need it (RFC 1035, EDNS0 of RFC 6891): names, records, messages, and the
judge that says what an answer is worth. Pure: bytes in, values out; hostile bytes never raise."""
