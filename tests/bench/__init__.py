"""What a token costs, in this library and in others: ``make bench``.

A server in a process of its own sends prepared bytes; each client reads them in a process of its
own too, and measures the CPU time (user and system) that this process takes. CPU time first,
because that is what a program has left for its own work, and because it barely depends on what
else the machine does.

What is to be compared runs within one round, and rounds repeat: a figure is the median over the
rounds, and a ratio is the median of the rounds' own ratios. Every client has to come up with the
text that was sent, or its result does not count.

Where to read on: `script` says what the server can be asked for, `formats` what its bytes look
like, `server` sends them; `clients` has a module for each client; `worker` and `jobs` are the
process around a client; `benchmarks` says what is run, `run` runs it, `targets`, `table` and
`plots` show what came of it.
"""
