"""Any registered policy inside stock vLLM: `KVTHEORY_POLICY=rlt vllm serve ...`.

`plugin` is what vLLM loads, `pool` the block pool and cache manager that it puts in the place of vLLM's, and
`table` the policy's own view, which knows nothing of vLLM. Importing this package imports no vLLM.
"""
