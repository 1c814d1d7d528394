"""The figures: each module measures one thing and prints one JSON object; `bench.run` keeps them all."""
