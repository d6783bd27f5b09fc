"""How good a reconstruction is: metrics, protocols, aggregation, tables. Raw scores first, means in one place."""
