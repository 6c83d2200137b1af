"""The contract that every policy meets by existing, held against a policy of one's own."""

from second_visit import SecondVisit

from kvtheory.testing.contract import contract_of, run_contract


def test_second_visit() -> None:
    run_contract(SecondVisit)


if __name__ == "__main__":
    run_contract(SecondVisit, examples=25)
    for check in contract_of(SecondVisit):
        print(f"holds  {check.name}: {check.about}")
