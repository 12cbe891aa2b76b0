# State and jobs. Valkey, because Memorystore keeps an append-only file for it and not for Redis; without a
# cluster, because a transition of a job touches many keys. It has no password: the network is the boundary.
resource "google_memorystore_instance" "store" {
  instance_id                 = var.name
  location                    = var.region
  mode                        = "CLUSTER_DISABLED"
  shard_count                 = 1
  replica_count               = 1
  node_type                   = "STANDARD_SMALL"
  engine_version              = "VALKEY_8_0"
  transit_encryption_mode     = "TRANSIT_ENCRYPTION_DISABLED"
  authorization_mode          = "AUTH_DISABLED"
  deletion_protection_enabled = true
  engine_configs = {
    maxmemory-policy = "noeviction"
  }
  persistence_config {
    mode = "AOF"
    aof_config {
      append_fsync = "EVERY_SEC"
    }
  }
  desired_auto_created_endpoints {
    network    = google_compute_network.fleet.id
    project_id = var.project
  }
  depends_on = [google_network_connectivity_service_connection_policy.store]
}

locals {
  # An instance with a replica has two addresses, in no order: one of them only reads.
  store_address = one([
    for connection in google_memorystore_instance.store.endpoints[0].connections :
    connection.psc_auto_connection[0].ip_address
    if connection.psc_auto_connection[0].connection_type == "CONNECTION_TYPE_PRIMARY"
  ])
  store_url = "redis://${local.store_address}:6379"
  blobs     = "gs://${google_storage_bucket.blobs.name}/fleet"
}

# Models, and what jobs read and leave behind. No rule expires objects: a model is one, however old.
resource "google_storage_bucket" "blobs" {
  name                        = "${var.project}-${var.name}-blobs"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
}

resource "google_artifact_registry_repository" "images" {
  repository_id = var.name
  location      = var.region
  format        = "DOCKER"
  depends_on    = [google_project_service.needed]
}
