"""The last room of the house: what turns the loop level into something a machine runs, one folder a kind of machine."""
