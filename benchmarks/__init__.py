"""Measurements that anyone can repeat; each module is a command. Threads wait as those of `pixelbayes` do."""

from pixelbayes.threads import wait_briefly

wait_briefly()  # before torch is imported
