"""Prompts as plain tuples of tokens, cut in blocks as vLLM does it: what the array code must agree with."""


def hashed(prompts, block):
    """The block numbers of each prompt, root to tip, and the tokens of every block; one number per prefix."""
    numbers, paths = {}, []
    for prompt in prompts:
        above, path = 0, []
        for start in range(0, len(prompt), block):
            above = numbers.setdefault((above, tuple(prompt[start : start + block])), len(numbers) + 1)
            path.append(above)
        paths.append(path)
    return paths, {number: len(tokens) for (_, tokens), number in numbers.items()}


def assert_same_tree(tree, requests, prompts, block):
    """Nodes and hashed blocks are one to one, on every path; no node is left over."""
    paths, sizes = hashed(prompts, block)
    assert tree.n == len(sizes)
    node_of = {}
    for v, path in zip(requests.tolist(), paths, strict=True):
        nodes = tree.path(v)
        assert len(nodes) == len(path)
        for node, number in zip(nodes, path, strict=True):
            assert node_of.setdefault(number, node) == node
            assert tree.tokens[node] == sizes[number]
    assert len(set(node_of.values())) == len(sizes)


def conversations(trace, system=0):
    """Each prompt as tokens, from the columns alone: the prompt continued, then tokens that nobody else has.

    Which system prompt begins a conversation is read off the first block; it has `system` tokens.
    """
    total = trace.tree.path_sums(trace.tree.tokens)[trace.requests]
    prompts = []
    for r, parent in enumerate(trace.columns["parent_chat_id"].tolist()):
        if parent >= 0:
            begin = prompts[parent]
        else:
            first = trace.tree.path(int(trace.requests[r]))[0]
            begin = tuple(("system", first, i) for i in range(system))
        own = int(total[r]) - len(begin)
        assert own > (trace.columns["output_length"][parent] if parent >= 0 else 0)
        prompts.append(begin + tuple((r, i) for i in range(own)))
    return prompts


def assert_columns_agree(trace, speed):
    """Times ascend, a request follows the one it continues and its reply, and turns are counted."""
    columns = trace.columns
    assert (columns["timestamp"][1:] >= columns["timestamp"][:-1]).all()
    assert columns["chat_id"].tolist() == list(range(len(trace)))
    for r, parent in enumerate(columns["parent_chat_id"].tolist()):
        if parent < 0:
            assert columns["turn"][r] == 1
        else:
            assert parent < r
            assert columns["turn"][r] == columns["turn"][parent] + 1
            gap = columns["timestamp"][r] - columns["timestamp"][parent]
            assert gap >= columns["output_length"][parent] / speed - 1e-6


def chi_square(counts, expected):
    return sum((c - e) ** 2 / e for c, e in zip(counts, expected, strict=True))
