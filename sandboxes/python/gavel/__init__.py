"""The harness around a program, inside the guest.

It runs in the program's own interpreter and is not protected from it: a program that meddles with it changes what
that program seems to have done, and nothing else. So nothing is ever in here that the program may not know.
"""
