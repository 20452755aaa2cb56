"""One module per platform. Each implements the contract in `broker.contract`; entry points name them."""
