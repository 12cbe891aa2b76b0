# Cloud Run: instances cannot call each other, so each loads the models that it is asked for. The CPU is
# allocated always, because a node follows its store between requests.
locals {
  on_cloud_run = var.platform == "cloud-run" && var.image != ""
  # A service speaks HTTP/1.1, or HTTP/2 from end to end, which gRPC needs. A node answers both, but with HTTP/2
  # gRPC alone, so that a fleet with both has two services.
  services = local.on_cloud_run ? merge(
    { http1 = var.name },
    var.grpc ? { h2c = "${var.name}-grpc" } : {},
  ) : {}
}

resource "google_cloud_run_v2_service" "nodes" {
  for_each            = local.services
  name                = each.value
  location            = var.region
  ingress             = "INGRESS_TRAFFIC_ALL"
  deletion_protection = true

  template {
    service_account                  = google_service_account.fleet["node"].email
    timeout                          = "300s"
    max_instance_request_concurrency = 200
    scaling {
      min_instance_count = 1
      max_instance_count = var.max_instances
    }
    vpc_access {
      egress = "PRIVATE_RANGES_ONLY"
      network_interfaces {
        network    = google_compute_network.fleet.id
        subnetwork = google_compute_subnetwork.fleet.id
      }
    }
    containers {
      image = var.image
      args  = ["up", "--host=0.0.0.0", "--log=json", "--queues=none"]
      ports {
        name           = each.key
        container_port = 8080
      }
      resources {
        limits            = { cpu = "2", memory = "4Gi" }
        cpu_idle          = false
        startup_cpu_boost = true
      }
      # Cloud Run sends SIGKILL ten seconds after SIGTERM.
      env {
        name  = "SKEIN_GRACE"
        value = "8s"
      }
      env {
        name  = "SKEIN_BLOBS"
        value = local.blobs
      }
      # Files are in the memory of the instance.
      env {
        name  = "SKEIN_CACHE"
        value = "512MiB"
      }
      dynamic "env" {
        for_each = { SKEIN_REDIS = "redis-url", SKEIN_ADMIN_KEY = "admin-key", SKEIN_READ_KEY = "read-key" }
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = google_secret_manager_secret.fleet[env.value].secret_id
              version = "latest"
            }
          }
        }
      }
      # The way into the network may take a minute; the node answers once the store has.
      startup_probe {
        period_seconds    = 5
        timeout_seconds   = 4
        failure_threshold = 45
        http_get {
          path = "/v2/health/accepting"
        }
      }
      liveness_probe {
        period_seconds    = 10
        timeout_seconds   = 5
        failure_threshold = 6
        http_get {
          path = "/v2/health/live"
        }
      }
    }
  }
  depends_on = [
    google_secret_manager_secret_iam_member.node,
    google_secret_manager_secret_version.key,
    google_secret_manager_secret_version.redis_url,
  ]
}

# Callers are identified by the keys of Skein, not by those of Google.
resource "google_cloud_run_v2_service_iam_member" "callers" {
  for_each = google_cloud_run_v2_service.nodes
  name     = each.value.name
  location = var.region
  role     = "roles/run.invoker"
  member   = "allUsers"
}

resource "google_cloud_run_v2_worker_pool" "workers" {
  count               = local.on_cloud_run ? 1 : 0
  name                = "${var.name}-worker"
  location            = var.region
  deletion_protection = true

  scaling {
    manual_instance_count = var.workers
  }
  template {
    service_account = google_service_account.fleet["worker"].email
    vpc_access {
      egress = "PRIVATE_RANGES_ONLY"
      network_interfaces {
        network    = google_compute_network.fleet.id
        subnetwork = google_compute_subnetwork.fleet.id
      }
    }
    containers {
      image = var.image
      args  = ["worker", "--log=json", "--grace=3s"]
      resources {
        limits = { cpu = "2", memory = "4Gi" }
      }
      env {
        name  = "SKEIN_BLOBS"
        value = local.blobs
      }
      env {
        name  = "SKEIN_CACHE"
        value = "512MiB"
      }
      env {
        name = "SKEIN_REDIS"
        value_source {
          secret_key_ref {
            secret  = google_secret_manager_secret.fleet["redis-url"].secret_id
            version = "latest"
          }
        }
      }
    }
  }
  depends_on = [
    google_secret_manager_secret_iam_member.worker,
    google_secret_manager_secret_version.redis_url,
  ]
}
