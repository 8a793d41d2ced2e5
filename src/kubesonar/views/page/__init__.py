"""The page: what people see in a browser, as pure functions from what a collector knows to HTML, text and JSON.

In: verdicts, incidents, members, matrices and snapshots. Out: for each view a model (plain values, which are also its
JSON), drawn by a Jinja2 template as HTML or text. Read `now` for the smallest model, then `templates/now.html`, then
`rendering`. Only programs that serve the page load Jinja2.
"""
