"""The labels and annotations by which lanes know their own in a cluster, beside `MANAGED_BY`. Pure."""

FIELD_MANAGER = "lanes"
"""By this name the API server keeps which fields lanes have set."""

LANE_LABEL = "lanes.proxyless.dev/lane"
"""On a workload started for a lane, and on its pods."""

EXPIRES = "lanes.proxyless.dev/expires"
"""On such a workload, so that it ends with its lane even where the lane's rules are gone."""

CLONE_OF = "lanes.proxyless.dev/clone-of"
"""On such a workload: what it was made from."""

DOOR_LABEL = "lanes.proxyless.dev/door"
"""On the Service through which requests come in, where it is not the only one that speaks HTTP."""
