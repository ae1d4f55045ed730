"""A real Cassandra on this machine, without Docker: one node, or three.

>>> with start_cluster(directory, nodes=3) as cluster:
...     subprocess.run(["…"], env=os.environ | cluster.environment)

The data in the directory outlives the cluster: the next one that starts there has it again.
"""

from tools.local_cassandra.cluster import Cluster, start_cluster, why_unavailable
from tools.local_cassandra.configuration import PERIODIC
from tools.local_cassandra.errors import LocalCassandraError
from tools.local_cassandra.node import Node

__all__ = ["PERIODIC", "Cluster", "LocalCassandraError", "Node", "start_cluster", "why_unavailable"]
