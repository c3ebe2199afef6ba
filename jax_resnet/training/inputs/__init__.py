"""The data of an experiment: images in memory, or pictures that stream; and the program that trains on them."""
