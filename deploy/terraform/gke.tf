# GKE Autopilot: Google owns the machines. The chart is installed into it: see docs/guide/google-cloud.md.
resource "google_container_cluster" "fleet" {
  count               = var.platform == "gke" ? 1 : 0
  name                = var.name
  location            = var.region
  enable_autopilot    = true
  deletion_protection = true
  network             = google_compute_network.fleet.id
  subnetwork          = google_compute_subnetwork.fleet.id
  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }
  private_cluster_config {
    enable_private_nodes = true
  }
  cluster_autoscaling {
    auto_provisioning_defaults {
      service_account = google_service_account.machines[0].email
      oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
    }
  }
  depends_on = [
    google_project_service.needed,
    google_project_iam_member.machines,
    google_artifact_registry_repository_iam_member.machines,
  ]
}

# The machines of the cluster write logs and metrics, and read images. The default account of the project may do
# more than that, or, in newer organisations, not even that.
resource "google_service_account" "machines" {
  count        = var.platform == "gke" ? 1 : 0
  account_id   = "${var.name}-machines"
  display_name = "Skein machines of the cluster"
}

resource "google_project_iam_member" "machines" {
  count   = var.platform == "gke" ? 1 : 0
  project = var.project
  role    = "roles/container.defaultNodeServiceAccount"
  member  = google_service_account.machines[0].member
}

resource "google_artifact_registry_repository_iam_member" "machines" {
  count      = var.platform == "gke" ? 1 : 0
  repository = google_artifact_registry_repository.images.name
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.machines[0].member
}

# Private nodes reach registries outside of Google through it.
resource "google_compute_router" "fleet" {
  count   = var.platform == "gke" ? 1 : 0
  name    = var.name
  network = google_compute_network.fleet.id
}

resource "google_compute_router_nat" "fleet" {
  count                              = var.platform == "gke" ? 1 : 0
  name                               = var.name
  router                             = google_compute_router.fleet[0].name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
}

# Workload Identity: the accounts of the chart, skein and skein-worker, act as the fleet's.
resource "google_service_account_iam_member" "workload" {
  for_each           = var.platform == "gke" ? { node = "skein", worker = "skein-worker" } : {}
  service_account_id = google_service_account.fleet[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[${var.name}/${each.value}]"
  depends_on         = [google_container_cluster.fleet]
}
