"""The labels by which containers, networks and volumes are found: ours and Compose's."""

RUN_LABEL = "io.chaoskit.run"
PROJECT_LABEL = "io.chaoskit.project"
FOLDER_LABEL = "io.chaoskit.folder"  # the run folder, where the ledger is
ROLE_LABEL = "io.chaoskit.role"  # proxy | gateway | helper
CLIENT_LABEL = "io.chaoskit.client"
PROXIES_LABEL = "io.chaoskit.proxies"  # JSON list of proxy definitions, for any healer
UPSTREAMS_LABEL = "io.chaoskit.upstreams"  # JSON list of the services whose names it takes over

COMPOSE_PROJECT_LABEL = "com.docker.compose.project"
COMPOSE_SERVICE_LABEL = "com.docker.compose.service"
COMPOSE_NUMBER_LABEL = "com.docker.compose.container-number"
COMPOSE_ONE_OFF_LABEL = "com.docker.compose.oneoff"
ANONYMOUS_VOLUME_LABEL = "com.docker.volume.anonymous"
