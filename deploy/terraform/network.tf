# One private network: nodes and workers reach the store by addresses that nothing outside has.
resource "google_project_service" "needed" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "compute.googleapis.com",
    "container.googleapis.com",
    "memorystore.googleapis.com",
    "networkconnectivity.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
  ])
  service            = each.key
  disable_on_destroy = false
}

resource "google_compute_network" "fleet" {
  name                    = var.name
  auto_create_subnetworks = false
  depends_on              = [google_project_service.needed]
}

resource "google_compute_subnetwork" "fleet" {
  name                     = var.name
  network                  = google_compute_network.fleet.id
  ip_cidr_range            = "10.20.0.0/20"
  private_ip_google_access = true

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = "10.24.0.0/16"
  }
  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = "10.28.0.0/20"
  }
}

resource "google_network_connectivity_service_connection_policy" "store" {
  name          = "${var.name}-store"
  location      = var.region
  service_class = "gcp-memorystore"
  network       = google_compute_network.fleet.id
  psc_config {
    subnetworks = [google_compute_subnetwork.fleet.id]
  }
}
